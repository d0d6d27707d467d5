// N-06: fetch
// expect: TypeError fetch failed
fetch("http://198.51.100.1/").catch((error) => console.log(error.name, error.message));
