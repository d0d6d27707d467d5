// Z-12 (node): V8's own break, by its native functions, which a program may switch on for itself
// What a program does to itself; what must not suffer is its zygote, which the host check asks again.
// outcome: signalled 5
// expect:
require("v8").setFlagsFromString("--allow-natives-syntax");
new Function("%SystemBreak()")();
