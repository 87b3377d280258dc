// Ends when the one child that holds it has ended, though another one runs on.
import process from 'node:process'
import { commandRoot, openRoot } from 'command-root'

const root = openRoot('/', { resolve: 'in-root' })
const sh = (script) => commandRoot(root, 'bin/sh', ['-c', script], { stdio: 'ignore' }).spawn()

const longer = sh('exec sleep 1000')
longer.unref()
sh('sleep 0.2; exit 7').on('exit', (code) => console.log(`exit ${code}`))
process.on('exit', () => longer.kill('SIGKILL'))
