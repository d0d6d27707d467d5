// O-11 (node): reading standard input for ever: the end comes at once
// What must end; there is nothing to switch off.
// expect: 0
let length = 0;
process.stdin.on("data", (piece) => { length += piece.length; }).on("end", () => console.log(length));
