// N-06 (node): fetch fails as a TypeError
// expect: TypeError fetch failed ENETUNREACH
// without: netns + service-netns -> exited 0: 200
fetch("http://198.51.100.1/").then((answer) => console.log(answer.status),
  (error) => console.log(error.name, error.message, error.cause.code));
