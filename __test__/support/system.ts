// This process as the kernel sees it, and places for tests to write in.

import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { ExecutionContext } from 'ava'

/** An error's `errno`, which is negative, by its code. */
export const errnoOf = (code: string): number => -((os.constants.errno as Record<string, number>)[code] ?? Number.NaN)

export const isRoot = process.getuid?.() === 0

/** A new empty directory, by its real path, gone after the test. */
export function scratch(t: ExecutionContext): string {
  const directory = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'command-root-')))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Waits until something is so. A test that waits for what never comes fails by its own time limit. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}

const entries = (directory: string): string[] => {
  try {
    return readdirSync(directory)
  } catch {
    return [] // ended meanwhile
  }
}

export const openDescriptors = (pid: number | 'self' = 'self'): number => entries(`/proc/${pid}/fd`).length
export const threads = (pid: number | 'self' = 'self'): number => entries(`/proc/${pid}/task`).length

/** pid, parent and state letter of every process. */
export function processes(): { pid: number; ppid: number; state: string }[] {
  return entries('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        const [state = '', ppid = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return [{ pid: Number(pid), ppid: Number(ppid), state }]
      } catch {
        return [] // ended meanwhile
      }
    })
}

export const childrenOf = (pid = process.pid) => processes().filter(({ ppid }) => ppid === pid)
export const isAlive = (pid: number): boolean => processes().some((one) => one.pid === pid && one.state !== 'Z')
