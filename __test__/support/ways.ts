// Every way of starting a command, for what has to be the same by all of them.

import { once } from 'node:events'
import { type CommandOptions, commandRoot, type openRoot } from 'command-root'
import { parseReport, type Report } from './programs.ts'

type Root = ReturnType<typeof openRoot>
type Plain = CommandOptions<undefined, undefined>

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
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
