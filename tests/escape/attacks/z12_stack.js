// Z-12 (node): recursion without end, and a trap of WebAssembly; test_many.py does it again and again
// What a program does to itself; what must not suffer is its zygote, which the host check asks again.
// expect: RangeError RuntimeError unreachable
const run = (function_) => {
  try { function_(); } catch (error) { return error.name === "RangeError" ? error.name : `${error.name} ${error.message}`; }
};
const code = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 5, 1, 3, 0, 0, 11];
const trap = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(code))).exports.f;
const deeper = () => deeper() + 1;
console.log(run(deeper), run(trap));
