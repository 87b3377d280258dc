// A worker that says how its children ended and ends, or says that they run and is terminated.
import { parentPort, workerData } from 'node:worker_threads'
import { commandRoot, openRoot } from 'command-root'

const root = openRoot('/', { resolve: 'in-root' })
const sh = (script, options) => commandRoot(root, 'bin/sh', ['-c', script], options)

if (workerData === 'ends') {
  const spawned = sh('exit 5', { stdio: ['pipe', 'pipe', 'inherit'] }).spawn()
  spawned.stdout.resume()
  const codes = [(await spawned.status).code, (await sh('exit 6').output()).code]
  root.close()
  parentPort.postMessage(codes)
} else {
  // They end by themselves a little later, when nobody is left to be told.
  for (let i = 0; i < 3; i++) {
    sh('exec sleep 0.3', { stdio: ['pipe', 'pipe', 'inherit'] }).spawn()
    void sh('exec sleep 0.3').output()
  }
  parentPort.postMessage('running')
  setInterval(() => {}, 1000)
}
