// Of three listeners one throws: it is an uncaughtException, and the others are called all the same.
import process from 'node:process'
import { commandRoot, openRoot } from 'command-root'

const root = openRoot('/', { resolve: 'in-root' })
const sh = () => commandRoot(root, 'bin/sh', ['-c', 'exit 0'], { stdio: 'ignore' }).spawn()

let told = 0
let caught
process.on('uncaughtException', (error) => {
  caught = error.message
})
for (const throws of [false, true, false]) {
  sh().on('exit', () => {
    told++
    if (throws) throw new Error('mine')
  })
}
process.on('exit', () => console.log(`${caught}; told ${told}`))
