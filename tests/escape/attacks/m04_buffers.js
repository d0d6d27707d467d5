// M-04 (node): buffers without end, of which half a gigabyte would do
// outcome: memory 9
// expect:
// hits: memory
// limits: memory_mb=128
// without: cgroup
const all = [];
for (let i = 0; i < 64; i++) all.push(Buffer.alloc(8 << 20, i + 1));
console.log(all.length);
