// Programs that are written, closed and started at once, while others are being started: a child that has a copy of the
// writing descriptor makes the start of the program ETXTBSY (golang/go 22315).
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { commandRoot, openRoot } from 'command-root'
import { atMost } from './measure.mjs'

const PROGRAMS = 1500

export const title = 'busy: 1,500 programs, each written, closed and started at once, amid other starts'

export async function run() {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'command-root-bench-'))
  const [root, system] = [openRoot(directory), openRoot('/usr')]
  const other = commandRoot(system, 'bin/true', [], { stdio: 'ignore' })
  let going = true
  const lane = async () => {
    while (going) await other.output()
  }
  const lanes = Array.from({ length: 4 }, lane)
  const codes = {}
  for (let i = 0; i < PROGRAMS; i++) {
    copyFileSync('/usr/bin/true', path.join(directory, 'program'))
    const code = await started(commandRoot(root, 'program', [], { stdio: 'ignore' }))
    codes[code] = (codes[code] ?? 0) + 1
    rmSync(path.join(directory, 'program'))
  }
  going = false
  await Promise.all(lanes)
  rmSync(directory, { recursive: true })
  const table = [['came of it', 'times'], ...Object.entries(codes).map(([code, times]) => [code, String(times)])]
  return { samples: codes, tables: [table], goals: [atMost('ETXTBSY', codes.ETXTBSY ?? 0, 0)] }
}

/** spawn() does not try again, since it must not sleep. */
function started(command) {
  return new Promise((resolve) => {
    try {
      const child = command.spawn()
      child.once('error', ({ code }) => resolve(code))
      child.once('exit', () => resolve('ran'))
    } catch (error) {
      resolve(error.code)
    }
  })
}
