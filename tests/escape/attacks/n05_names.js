// N-05 (node): resolving a name: no answer, at once
// expect: true
// without: netns + service-netns -> exited 0: 198.51.100.1
require("dns").lookup("example.com", { family: 4 }, (error, address) =>
  console.log(error ? ["EAI_AGAIN", "ENOTFOUND"].includes(error.code) : address));
