// Every way of starting a command, for what has to be the same by all of them.

import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type CommandOptions,
  commandRoot,
  forkExec,
  type openRoot,
  type ProcAttr,
  type Process,
  probe,
} from 'command-root'
import { parseReport, type Report } from './programs.ts'

type Root = ReturnType<typeof openRoot>
type Plain = CommandOptions<undefined, undefined>

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** The same for the low level: what is not about the child itself is left out. */
function attrOf(options: Plain, files: number[]): ProcAttr {
  const { cwd, env, ...rest } = options
  const attributes = Object.entries(rest).filter(([name]) => (probe().attributes as string[]).includes(name))
  return {
    ...Object.fromEntries(attributes),
    ...(cwd !== undefined && { dir: cwd instanceof URL ? fileURLToPath(cwd) : cwd }),
    ...(env && { env: Object.entries(env).map(([name, value]) => `${name}=${value}`) }),
    files,
  }
}

/** What the program of a Process writes into a file. */
async function written(start: (files: number[]) => Process, wait: (child: Process) => unknown): Promise<string> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'command-root-'))
  const file = path.join(directory, 'out')
  const [nothing, out] = [fs.openSync('/dev/null', 'r'), fs.openSync(file, 'w')]
  try {
    await wait(start([nothing, out, 2]))
    return fs.readFileSync(file, 'utf8')
  } finally {
    for (const fd of [nothing, out]) fs.closeSync(fd)
    fs.rmSync(directory, { recursive: true })
  }
}

/** What the program says on its standard output, by each way. */
export const ways: Record<string, (root: Root, name: string, args: string[], options: Plain) => Promise<string>> = {
  spawn: async (root, name, args, options) => {
    const child = commandRoot(root, name, args, options).spawn()
    child.on('error', () => {})
    const closed = once(child, 'close')
    const [said] = await Promise.all([textOf(child.stdout), child.status])
    await closed
    return said
  },
  output: async (root, name, args, options) => String((await commandRoot(root, name, args, options).output()).stdout),
  outputSync: async (root, name, args, options) => String(commandRoot(root, name, args, options).outputSync().stdout),
  lines: async (root, name, args, options) => {
    const lines: string[] = []
    for await (const line of commandRoot(root, name, args, options).lines()) lines.push(line)
    return lines.join('\n')
  },
  startProcess: (root, name, args, options) =>
    written(
      (files) => root.startProcess(name, [name, ...args], attrOf(options, files)),
      (child) => child.wait(),
    ),
  forkExec: (root, name, args, options) =>
    written(
      (files) => forkExec(name, [name, ...args], { ...attrOf(options, files), dirFd: root }),
      (child) => child.waitSync(),
    ),
}

/** What the reporter tells, by each way. */
export async function reports(root: Root, options: Plain, args = ['report']): Promise<[way: string, Report][]> {
  const all: [string, Report][] = []
  for (const [way, start] of Object.entries(ways)) {
    const said = await start(root, 'reporter', args, options)
    try {
      all.push([way, parseReport(said)])
    } catch {
      throw new Error(`${way} of ${JSON.stringify(Object.keys(options))}: ${JSON.stringify(said)}`)
    }
  }
  return all
}
