"""Short programs whose ends, errors and streams must look the same in a fork of a zygote as in a fresh interpreter.

Each: the code, and where it matters the name of its file, other files, standard input.
"""



def program(code, name=None, files=None, stdin=""):
    return {"code": code, "name": name, "files": files or {}, "stdin": stdin}


PYTHON = [
    program('1/0'),
    program('def f():\n  g()\ndef g():\n  raise ValueError("x")\nf()'),
    program('print("a"\n'),
    program('x = = 1'),
    program('  x=1\n y=2'),
    program(''),
    program('import sys\nprint("x")\nsys.exit(0)'),
    program('import sys\nprint("x")\nsys.exit(1)'),
    program('import sys\nprint("x")\nsys.exit(None)'),
    program('import sys\nprint("x")\nsys.exit(3)'),
    program('import sys\nprint("x")\nsys.exit(256)'),
    program('import sys\nprint("x")\nsys.exit(-1)'),
    program('import sys\nprint("x")\nsys.exit("bye")'),
    program('import sys\nprint("x")\nsys.exit(True)'),
    program('import sys\nprint("x")\nsys.exit(2**70)'),
    program('import sys\nprint("x")\nsys.exit([1,2])'),
    program('import sys\nprint("x")\nsys.exit(1.5)'),
    program('import sys\nprint("x")\nsys.exit(Ellipsis)'),
    program('raise SystemExit'),
    program('raise SystemExit(4)'),
    program('raise SystemExit("a","b")'),
    program('exit(3)'),
    program('quit()'),
    program('import os\nos._exit(5)'),
    program('raise KeyboardInterrupt'),
    program('import os,signal\nos.kill(os.getpid(),signal.SIGINT)\nimport time;time.sleep(1)'),
    program('import os,signal\nos.kill(os.getpid(),signal.SIGTERM)\nimport time;time.sleep(1)'),
    program('import os\nos.abort()'),
    program('import atexit\natexit.register(print,"bye")\nprint("hi")'),
    program('import atexit\natexit.register(lambda:1/0)\nprint("hi")'),
    program(
        'import threading,time\n'
        'def f():\n'
        ' time.sleep(.2);print("t")\n'
        'threading.Thread(target=f).start()\n'
        'print("m")'
    ),
    program(
        'import threading,time\n'
        'def f():\n'
        ' time.sleep(5);print("t")\n'
        'threading.Thread(target=f,daemon=True).start()\n'
        'print("m")'
    ),
    program('import threading\ndef f(): 1/0\nt=threading.Thread(target=f);t.start();t.join()'),
    program('class A:\n  def __del__(self): print("del")\na=A()\n_b=A()'),
    program('class A:\n  def __del__(self): print("del",x)\nx=5\na=A()\na.a=a'),
    program(
        'f=open("o.txt","w");f.write("hello")\n'
        'import atexit\n'
        'atexit.register(lambda:print(open("o.txt").read()))'
    ),
    program('import sys\nsys.stdout.close()'),
    program('import sys,os\nos.close(1)\nprint("x")'),
    program('print(input());print(input("p> "))', stdin='one\ntwo\n'),
    program('import sys\nprint(sys.stdin.read())', stdin='héllo\n'),
    program('input()'),
    program('import sys\nsys.excepthook=lambda *a: print("hook",a[0].__name__)\n1/0'),
    program('import sys\ndef h(*a): raise ValueError("in hook")\nsys.excepthook=h\n1/0'),
    program('import sys\ndef h(*a): sys.exit(9)\nsys.excepthook=h\n1/0'),
    program('try:\n  1/0\nexcept Exception as e:\n  raise ValueError("b") from e'),
    program('raise ExceptionGroup("g",[ValueError(1),TypeError("x")])'),
    program('import warnings\nwarnings.warn("w")'),
    program('import warnings\ndef f(): warnings.warn("dep",DeprecationWarning)\nf()'),
    program('assert 1==2, "no"'),
    program('print(u"\\u20ac \\ud83d\\ude00".encode("utf-16","surrogatepass").decode("utf-16"))'),
    program('print("\\udc80")'),
    program(
        'import sys\n'
        'print(sys.stdout.encoding,sys.stdout.errors,sys.stderr.errors,sys.stdin.errors,sys.stdout.line_buffering,sys.stderr.line_buffering,sys.stdout.name,sys.stdin.mode,sys.stdout.seekable(),sys.stdout.isatty(),sys.stdout.fileno(),sys.stdout.newlines)'
    ),
    program('print(sorted(globals()),__name__,__file__,__spec__,__package__,__doc__)'),
    program('"""doc"""\nprint(__doc__,__annotations__)\nx:int=3\nprint(__annotations__)'),
    program('import __main__\nprint(__main__.__dict__ is globals())'),
    program('from helper import f\nf()', files={'helper.py': 'def f(): raise KeyError("k")\n'}),
    program(
        'from sub.helper import f\n'
        'print(f())',
        files={'sub/__init__.py': '', 'sub/helper.py': 'def f(): return 5\n'},
    ),
    program('import helper\n', files={'helper.py': 'def f(:\n'}),
    program('import helper', files={'helper.py': 'class A:\n  def __del__(self): print("mod del")\na=A()\n'}),
    program(
        'import multiprocessing as mp\n'
        'def f(x): return x*x\n'
        'if __name__=="__main__":\n'
        '  with mp.Pool(2) as q: print(q.map(f,range(5)))'
    ),
    program(
        'import multiprocessing as mp\n'
        'def f(q): q.put(42)\n'
        'if __name__=="__main__":\n'
        '  mp.set_start_method("spawn")\n'
        '  q=mp.Queue();x=mp.Process(target=f,args=(q,));x.start();print(q.get());x.join();print(x.exitcode)'
    ),
    program(
        'import multiprocessing as mp\n'
        'def f(q): q.put(42)\n'
        'if __name__=="__main__":\n'
        '  mp.set_start_method("forkserver")\n'
        '  q=mp.Queue();x=mp.Process(target=f,args=(q,));x.start();print(q.get());x.join();print(x.exitcode)'
    ),
    program(
        'from concurrent.futures import ProcessPoolExecutor,ThreadPoolExecutor\n'
        'def f(x): return x+1\n'
        'if __name__=="__main__":\n'
        '  with ProcessPoolExecutor(2) as e: print(list(e.map(f,[1,2])))\n'
        '  print(list(ThreadPoolExecutor(2).map(f,[1,2])))'
    ),
    program(
        'import os\n'
        'if os.fork()==0:\n'
        '  print("c")\n'
        '  raise SystemExit(3)\n'
        'print(os.waitstatus_to_exitcode(os.wait()[1]))'
    ),
    program(
        'import subprocess,sys\n'
        'print(subprocess.run([sys.executable,"-c","import os;print(1)"],capture_output=True))'
    ),
    program('import subprocess\nprint(subprocess.check_output("echo hi | tr a-z A-Z",shell=True))'),
    program(
        'import asyncio\n'
        'async def m():\n'
        '  await asyncio.sleep(0.01);print("x");raise RuntimeError("r")\n'
        'asyncio.run(m())'
    ),
    program(
        'import asyncio\n'
        'async def m():\n'
        '  p=await asyncio.create_subprocess_shell("echo a",stdout=-1);print(await p.communicate());print(await asyncio.to_thread(lambda:5))\n'
        'asyncio.run(m())'
    ),
    program('import ctypes\nctypes.CDLL(None).printf(b"c printf\\n")'),
    program('import sys\nsys.stdout.write("no newline")'),
    program('import os\nos.write(1,b"raw\\n");print("buffered")'),
    program('import gc\nprint(gc.isenabled(),gc.get_threshold(),gc.get_freeze_count()>=0)'),
    program('import logging\nlogging.warning("w");logging.getLogger("a").error("e")'),
    program('import logging\nlogging.basicConfig(level=10,format="%(levelname)s %(message)s")\nlogging.debug("d")'),
    program('import faulthandler\nprint(faulthandler.is_enabled())'),
    program(
        'import signal\n'
        'print(signal.getsignal(signal.SIGINT),signal.getsignal(signal.SIGPIPE),signal.getsignal(signal.SIGTERM))'
    ),
    program(
        'import locale\n'
        'print(locale.getlocale(),locale.getpreferredencoding(),locale.setlocale(locale.LC_ALL,""))'
    ),
    program('import sys\nprint(sys.getfilesystemencoding(),sys.getdefaultencoding())'),
    program('import inspect\nclass A: pass\nprint(inspect.getsource(A))'),
    program('import pdb,sys\nprint(hasattr(sys,"last_value"))'),
    program('import pickle\nclass A: x=1\nprint(pickle.loads(pickle.dumps(A())).x)'),
    program('import dataclasses\n@dataclasses.dataclass\nclass P:\n  x:int=1\nprint(P())'),
    program('import time\nprint(time.tzname)'),
    program('import code\nprint(1)\n\x00'),
    program('# coding: latin-1\nprint("é")'),
    program('import tempfile,os\nwith tempfile.NamedTemporaryFile() as f: print(f.name.startswith("/tmp/tmp"))'),
    program('import typing\nprint(typing.get_type_hints(lambda:0))'),
    program('import sys\ndef f(): pass\nsys.settrace(lambda *a: None)\nf()'),
    program('import resource\nprint(resource.getrlimit(resource.RLIMIT_STACK)[0])'),
    program('print(open(__file__).read())'),
    program(
        'import unittest\n'
        'class T(unittest.TestCase):\n'
        '  def test(self): self.assertEqual(1,1)\n'
        'import sys\n'
        'sys.stderr=sys.stdout\n'
        'r=unittest.TextTestRunner(stream=open("/dev/null","w")).run(unittest.defaultTestLoader.loadTestsFromTestCase(T));print(r)'
    ),
    program('import doctest\ndef f():\n  """\n  >>> f()\n  1\n  """\n  return 1\nprint(doctest.testmod())'),
    program('import runpy\nprint(runpy.run_path("h.py")["x"])', files={'h.py': 'x=3'}),
    program(
        'import zoneinfo,datetime\n'
        'print(datetime.datetime(2024,7,1,tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).isoformat())'
    ),
    program(
        'import sqlite3\n'
        'c=sqlite3.connect("a.db");c.execute("create table t(x)");c.execute("insert into t values(1)");c.commit();print(c.execute("select * from t").fetchall())'
    ),
    program(
        'import sys\n'
        'class W:\n'
        '  def write(self,s): sys.__stdout__.write(s.upper())\n'
        '  def flush(self): pass\n'
        'sys.stdout=W()\n'
        'print("abc")'
    ),
    program('print("hi")', name='pkg/main.py', files={'pkg/util.py': 'x=1'}),
    program('import util\nprint(util.x)', name='pkg/main.py', files={'pkg/util.py': 'x=1'}),
]

NODE = [
    program('throw new Error("b")'),
    program('console.log(1);process.exit(3)'),
    program('process.exitCode=4'),
    program('Promise.reject(new Error("rej"))'),
    program('Promise.reject(5)'),
    program('throw null'),
    program('throw {a:1}'),
    program('throw "str"'),
    program('syntax error here'),
    program('let x = ;'),
    program(''),
    program('import fs from "fs"; console.log(typeof fs.readFileSync)'),
    program('console.log(typeof require, import.meta.url); await 1', name='main.mjs'),
    program('await 1; console.log("tla")'),
    program('import "./x.mjs"', files={'x.mjs': 'throw new Error("in x")'}),
    program('import x from "./nope.mjs"', name='main.mjs'),
    program('require("./nope")'),
    program('await new Promise(()=>{})', name='main.mjs'),
    program('process.exitCode=7;await new Promise(()=>{})', name='main.mjs'),
    program('throw new TypeError("esm")', name='main.mjs'),
    program('console.log(this===module.exports,__filename,__dirname,require.main===module)', name='main.cjs'),
    program('console.log("m",import.meta.url)', files={'package.json': '{"type":"module"}'}),
    program('const {a}=require("./l.json");console.log(a)', files={'l.json': '{"a":1}'}),
    program('export default 1; export const y=2; throw 1', name='main.mjs'),
    program('process.on("exit",c=>{console.log("exit",c);process.exitCode=9})'),
    program('let i=0;process.on("beforeExit",c=>{console.log("be",c);if(i++<3)setTimeout(()=>console.log("t"),1)})'),
    program(
        'process.on("uncaughtException",e=>{console.log("caught",e.message)});'
        'setTimeout(()=>console.log("later"),5);throw new Error("x")'
    ),
    program('process.on("unhandledRejection",e=>{console.log("unh",e.message)});Promise.reject(new Error("x"))'),
    program('process.on("uncaughtException",()=>{throw new Error("second")});throw new Error("x")'),
    program('process.on("exit",c=>console.log("exit",c,process.exitCode));throw new Error("q")'),
    program('process.exitCode=5;throw new Error("q")'),
    program('setTimeout(()=>{throw new Error("t")},5);process.on("exit",()=>{process.exitCode=8})'),
    program('process.abort()'),
    program('process.kill(process.pid,"SIGTERM");setTimeout(()=>{},1000)'),
    program('process.kill(process.pid,"SIGINT");setTimeout(()=>{},1000)'),
    program(
        'process.on("SIGTERM",()=>{console.log("got");process.exit(2)});process.kill(process.pid,'
        '"SIGTERM");setTimeout(()=>{},3000)'
    ),
    program(
        'console.error("e");console.warn("w");console.table([{a:1}]);console.dir({a:{b:{c:{d:1}}}}'
        ');console.group("g");console.log("in");console.groupEnd();console.assert(false,"as");'
        'console.trace("tr")'
    ),
    program('process.stdin.on("data",d=>process.stdout.write(d)).on("end",()=>console.log("end"))', stdin='abc\n'),
    program('console.log(require("fs").readFileSync(0,"utf8"))', stdin='abc\n'),
    program(
        'require("readline").createInterface({input:process.stdin}).on("line",l=>console.log("L",'
        'l)).on("close",()=>console.log("c"))',
        stdin='a\nb\n',
    ),
    program('for await (const c of process.stdin) console.log(String(c))', name='main.mjs', stdin='zz'),
    program('process.stdin.resume();process.stdin.on("end",()=>console.log("end"))'),
    program(
        'const rl=require("readline").createInterface({input:process.stdin,output:process.stdout});'
        'rl.question("q? ",a=>{console.log("A",a);rl.close()})',
        stdin='yes\n',
    ),
    program('setInterval(()=>{},1e9).unref();console.log("x")'),
    program('const t=setInterval(()=>{console.log("i");clearInterval(t)},1)'),
    program('require("fs").readFile(__filename,(e,d)=>console.log(d.length))'),
    program('require("crypto").pbkdf2("a","b",1000,32,"sha256",(e,k)=>console.log(k.toString("hex")))'),
    program('require("zlib").gzip("abc",(e,b)=>console.log(require("zlib").gunzipSync(b).toString()))'),
    program('require("dns").lookup("localhost",(e,a)=>console.log(e,a))'),
    program(
        'const {execSync,spawnSync,execFile,fork}=require("child_process");'
        'console.log(execSync("echo hi").toString(),spawnSync("sh",["-c","exit 3"]).status);'
        'execFile(process.execPath,["-p","1+1"],(e,o)=>console.log(o));'
    ),
    program(
        'const {fork}=require("child_process");if(process.argv[2]==="c"){process.send("hello",'
        '()=>process.disconnect())}else{const c=fork(__filename,["c"]);c.on("message",'
        'm=>console.log(m));c.on("exit",x=>console.log("x",x))}'
    ),
    program(
        'const http=require("http");const s=http.createServer((q,r)=>r.end("ok")).listen(0,'
        '()=>http.get({port:s.address().port,agent:false},r=>{r.on("data",'
        'd=>console.log(String(d)));r.on("end",()=>s.close())}))'
    ),
    program(
        'const s=require("http").createServer((q,r)=>r.end("ok")).listen(0,'
        'async()=>{const r=await fetch("http://127.0.0.1:"+s.address().port);console.log(r.status,'
        'await r.text());s.close();s.closeAllConnections()})'
    ),
    program(
        'const {Worker,isMainThread,parentPort,workerData}=require("worker_threads");'
        'if(isMainThread){const w=new Worker(__filename,{workerData:5});w.on("message",'
        'm=>console.log("m",m));w.on("exit",c=>console.log("exit",c))}'
        'else{parentPort.postMessage(workerData*2)}'
    ),
    program(
        'const {Worker}=require("worker_threads");const w=new Worker("setInterval(()=>{},1000)",'
        '{eval:true});w.on("online",async()=>{console.log(await w.terminate())})'
    ),
    program(
        'const {Worker}=require("worker_threads");const w=new Worker("throw new Error(1)",'
        '{eval:true});w.on("error",e=>console.log("err",e.message))'
    ),
    program(
        ''
        'const b=Buffer.from("AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABagsACgRuYW1lAgMBAAA=",'
        '"base64");WebAssembly.instantiate(b).then(r=>console.log(r.instance.exports.add(2,'
        '3))).catch(e=>console.log(e.message))'
    ),
    program(
        'console.log(process.memoryUsage().heapTotal>0,process.version.length>2,process.platform,'
        'process.release.name,process.config.variables!==undefined)'
    ),
    program('console.log(Object.keys(globalThis),Object.getOwnPropertyNames(globalThis).length)'),
    program(
        'console.log(require("module").builtinModules.length, require.cache[__filename].id,'
        ' module.children, module.parent, process.mainModule===module)'
    ),
    program('console.log(new Date(0).toString(),Intl.DateTimeFormat().resolvedOptions().timeZone)'),
    program('require("vm").runInNewContext("throw new Error(1)")'),
    program(
        'console.log(require("vm").runInNewContext("x+1",{x:2}),require("vm").createContext.name,'
        'require("vm").createContext.length)'
    ),
    program(
        'const {performance}=require("perf_hooks");performance.mark("a");performance.mark("b");'
        'console.log(performance.measure("m","a","b").name)'
    ),
    program(
        'console.log(structuredClone({a:new Map([[1,2]])}));'
        'console.log(new URL("http://a/b?c=1").searchParams.get("c"))'
    ),
    program('function f(){f()}f()'),
    program('new (require("events"))().emit("error",new Error("ev"))'),
    program('process.emitWarning("warn!")'),
    program('const {setTimeout:s}=require("timers/promises");s(5).then(()=>console.log("p"))'),
    program(
        'const ac=new AbortController();setTimeout(()=>ac.abort(),5);'
        'require("timers/promises").setTimeout(1e6,null,{signal:ac.signal}'
        ').catch(e=>console.log(e.name))'
    ),
    program('process.chdir("/tmp");console.log(process.cwd(),require("path").resolve("x"))'),
    program('console.log(require.resolve.paths("x"),require("os").hostname().length>0,require("os").tmpdir())'),
    program('const a=require("assert");a.strictEqual(1,2)'),
    program('eval("throw new Error(\'ev\')")'),
    program(
        'console.log(new Error("a").stack.split("\\n").length);Error.stackTraceLimit=50;'
        'console.log(new Error("b").stack)'
    ),
    program('process.stdout.end("bye")'),
    program(
        'process.stdout.on("finish",()=>console.log("f"));console.log(process.stdout.writable,'
        'process.stdout.fd,process.stdout.isTTY,process.stdout.writableHighWaterMark)'
    ),
    program('require("fs").writeSync(1,"sync\\n");console.log("x")'),
    program(
        'const {pipeline}=require("stream");const {Readable}=require("stream");'
        'pipeline(Readable.from(["a","b"]),process.stdout,e=>{console.error("done",e)})'
    ),
    program('async function f(){await null;throw new RangeError("as")}f()'),
    program('process.reallyExit(6)'),
    program('import("./m.mjs").then(m=>console.log(m.default))', files={'m.mjs': 'export default 42'}),
    program('const m=require("./m.cjs");console.log(m)', files={'m.cjs': 'module.exports={k:__filename}'}),
    program(
        'console.log(require("util").inspect(process.versions).length>10,process.hrtime().length,'
        'typeof process.hrtime.bigint())'
    ),
    program('setTimeout(()=>console.log(process.uptime()<5),1)'),
    program('process.on("exit",()=>{setTimeout(()=>console.log("never"),0);console.log("e")})'),
    program(
        'const d=require("domain").create();d.on("error",e=>console.log("dom",e.message));'
        'd.run(()=>{throw new Error("dd")})'
    ),
    program(
        'const {AsyncLocalStorage}=require("async_hooks");const s=new AsyncLocalStorage();s.run(5,'
        '()=>setTimeout(()=>console.log(s.getStore()),1))'
    ),
    program(
        'const fs=require("fs");fs.watchFile("x",()=>{});setTimeout(()=>{fs.unwatchFile("x");'
        'console.log("w")},20)'
    ),
    program(
        'const fs=require("fs");const w=fs.watch(".",(e,f)=>{console.log(e,f);w.close()});'
        'setTimeout(()=>fs.writeFileSync("y","1"),20)'
    ),
    program(
        'const net=require("net");const s=net.createServer(c=>c.pipe(c)).listen("/tmp/s.sock",'
        '()=>{const c=net.connect("/tmp/s.sock",()=>c.end("hey"));c.on("data",'
        'd=>console.log(""+d));c.on("close",()=>s.close())})'
    ),
    program('new FinalizationRegistry(()=>{}).register({},1);console.log(new WeakRef({}).deref()!==undefined)'),
    program('const v8=require("v8");console.log(v8.deserialize(v8.serialize({a:1})))'),
    program('label: for(;;){break label}\nconsole.log(0o17, 1n**64n, "a".at(-1))'),
    program('#!/usr/bin/env node\nconsole.log("shebang")'),
    program('"use strict";undefinedVar'),
]
