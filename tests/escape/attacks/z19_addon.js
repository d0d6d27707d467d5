// Z-19 (node): playing the zygote: loading its addon again and serving from within a run
// It runs with a run's rights, whatever it does; what must not suffer is its zygote, which the host check asks again.
// expect: refused
try {
  require("/usr/lib/docle/docle.node").serve();
  console.log("served");
} catch (error) {
  console.log("refused");
}
