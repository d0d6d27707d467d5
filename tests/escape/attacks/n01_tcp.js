// N-01 (node): TCP to the world
// Two layers: without a network namespace of its own a run is in that of the service, which has no way out either.
// Without both it is in the launcher's, in this test one of fake hosts.
// expect: ENETUNREACH
// without: netns + service-netns -> exited 0: connected
const one = require("net").connect(443, "198.51.100.1");
one.on("error", (error) => console.log(error.code)).on("connect", () => { console.log("connected"); one.destroy(); });
