// P-16 (node): abort, which in pid 1 would come out as another signal
// outcome: signalled 6
// expect:
// without: init -> signalled 11:*
process.abort();
