// M-19 (node): memories of WebAssembly: addresses are free, pages are not
// What must work; there is nothing to switch off.
// expect: 20
const all = [];
for (let i = 0; i < 20; i++) all.push(new WebAssembly.Memory({ initial: 1, maximum: 65536 }));
console.log(all.length);
