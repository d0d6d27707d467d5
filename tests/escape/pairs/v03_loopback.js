// V-03 (node): a server of the first on the loopback; the second connects, and wants the same port
// expect: ECONNREFUSED listening
// without: netns
const net = require("net");
if (require("fs").readFileSync("role", "utf8") === "first") {
  const server = net.createServer().listen(9000, "127.0.0.1", () => console.log("ready"));
  process.stdin.on("end", () => process.exit(0)).resume();
} else {
  const then = (text) => {
    net.createServer().on("error", (error) => console.log(text, error.code)).listen(9000, "127.0.0.1", () => {
      console.log(text, "listening");
      process.exit(0);
    });
  };
  const one = net.connect(9000, "127.0.0.1").on("error", (error) => then(error.code));
  one.on("connect", () => { one.destroy(); then("connected"); });
}
