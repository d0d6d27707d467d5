// N-06 (node): fetch fails as a TypeError
// expect: TypeError fetch failed ENETUNREACH
fetch("http://198.51.100.1/").catch((error) => console.log(error.name, error.message, error.cause.code));
