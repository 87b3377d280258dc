// Programs started by forkExec() and Root.startProcess(), which have no streams: what they say goes to a file.

import fs from 'node:fs'
import path from 'node:path'
import type { ExecutionContext } from 'ava'
import { forkExec, type Process, type ProcessState, Root } from 'command-root'
import { parseReport, type Report, reporter } from './programs.ts'
import { scratch } from './system.ts'

/** forkExec and Root.startProcess as JavaScript sees them, for arguments that do not compile. */
export const untypedForkExec = forkExec as unknown as (...args: unknown[]) => Process
export const untypedStartProcess = (root: Root, ...args: unknown[]): Process =>
  Reflect.apply(Root.prototype.startProcess as unknown as (...all: unknown[]) => Process, root, args)

/** Waits for what `start` starts with this descriptor as its output. */
export function said(t: ExecutionContext, start: (out: number) => Process): { state: ProcessState; text: string } {
  const file = path.join(scratch(t), 'said')
  const out = fs.openSync(file, 'w')
  try {
    const state = start(out).waitSync()
    return { state, text: fs.readFileSync(file, 'utf8') }
  } finally {
    fs.closeSync(out)
  }
}

/** Of the reporter, which has to say nothing else. */
export function reported(t: ExecutionContext, start: (out: number) => Process): Report {
  const { state, text } = said(t, start)
  t.deepEqual([state.code, state.signal], [0, null])
  return parseReport(text)
}

/** The reporter, doing this. */
export const run = (...words: string[]): Process => forkExec(reporter, ['reporter', ...words], { files: [] })
