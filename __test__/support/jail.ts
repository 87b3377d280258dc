// Directories that are enough of a system to be a program's root.

import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { ExecutionContext } from 'ava'
import { reporter, system } from './programs.ts'
import { scratch } from './system.ts'

/** Copies a program to the same directory inside, with the loader and libraries that it names. */
export function install(jail: string, program: string, place = program): void {
  const listed = execFileSync('ldd', [program], { encoding: 'utf8' })
  const libraries = [...listed.matchAll(/(?:=> |^\s*)(\/\S+) \(/gm)].map(([, file = '']) => file)
  for (const [from, to] of [[program, place], ...libraries.map((file) => [file, file])] as [string, string][]) {
    const target = path.join(jail, to)
    fs.mkdirSync(path.dirname(target), { recursive: true })
    if (!fs.existsSync(target)) fs.copyFileSync(fs.realpathSync(from), target)
    fs.chmodSync(target, 0o755)
  }
}

/** A jail with the reporter, a shell, and directories to begin in. */
export function jailFor(t: ExecutionContext, ...programs: string[]): string {
  const jail = scratch(t)
  fs.chmodSync(jail, 0o755)
  install(jail, reporter, '/reporter')
  for (const name of ['sh', ...programs]) install(jail, system(name).path, `/bin/${name}`)
  for (const directory of ['a/b', 'closed', 'tmp', 'proc', 'dev'])
    fs.mkdirSync(path.join(jail, directory), { recursive: true })
  fs.chmodSync(path.join(jail, 'closed'), 0o700)
  return jail
}
