#!/usr/bin/env node
/** The command line: `command-root [options] ROOT NAME [ARG…]`. It ends as the program ended. */
import { isUtf8 } from 'node:buffer'
import { constants } from 'node:os'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { Child, CommandOptions, CommandOutput, CommandStatus, ProcessAttributes, Rlimit } from './types.ts'
import { nearest } from './validate.ts'
import { version } from './version.ts'

const HELP = `Usage: command-root [options] ROOT NAME [ARG...]

Runs the program NAME, found beneath the directory ROOT, with the streams of this terminal.

  --cwd DIR         start in DIR
  --cwd-root ROOT   start in the directory ROOT, held open from here on
  --in-root         take absolute names and links inside ROOT, as if it were /
  --seal            run a sealed copy, which nobody can change
  --sha256 HEX      run a sealed copy of this content, or nothing
  --scripts MODE    deny (default), kernel, or root: where a script's interpreter is found
  --no-new-privs    nothing that it runs gains privileges
  --rlimit NAME=N   a resource limit: N, SOFT:HARD, or unlimited (may be given many times)
  --uid N           run as this user
  --gid N           run as this group
  --chroot DIR      with DIR as its root directory; --cwd is then inside
  --env K=V         add to the environment (may be given many times)
  --clear-env       inherit no environment
  --timeout MS      send SIGTERM after MS milliseconds
  --json            capture, and print the result as one JSON object
  --probe           print what this system offers, and end
  --help            print this, and end
  --version         print the version, and end

Options end at ROOT, or at --. Everything after NAME is the program's.
Ends with the program's code or signal; 125: wrong use; 126: it cannot be started; 127: it is not there.
`

const OPTIONS = {
  cwd: { type: 'string' },
  'cwd-root': { type: 'string' },
  'in-root': { type: 'boolean' },
  seal: { type: 'boolean' },
  sha256: { type: 'string' },
  scripts: { type: 'string' },
  'no-new-privs': { type: 'boolean' },
  rlimit: { type: 'string', multiple: true },
  uid: { type: 'string' },
  gid: { type: 'string' },
  chroot: { type: 'string' },
  env: { type: 'string', multiple: true },
  'clear-env': { type: 'boolean' },
  timeout: { type: 'string' },
  json: { type: 'boolean' },
  probe: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options']

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

const WRONG_USE = 125
const CANNOT_START = 126
const NOT_FOUND = 127

class WrongUse extends Error {}

async function main(argv: readonly string[]): Promise<void> {
  const { own, rest } = split(argv)
  const values = parse(own)
  if (values.help) return print(HELP)
  if (values.version) return print(`${version()}\n`)
  if (values.probe) return print(`${JSON.stringify((await import('./probe.ts')).probe(), null, 2)}\n`)
  const [root, name, ...args] = rest
  if (root === undefined || name === undefined) throw new WrongUse('ROOT and NAME are needed; see --help')
  const run = values.json ? runCaptured : runThrough
  await run({ root, name, args, values })
}

/** Our own options end at the first argument that is none, or after `--`. */
function split(argv: readonly string[]): { own: string[]; rest: string[] } {
  let end = 0
  for (let arg = argv[end]; arg?.startsWith('-') && arg !== '-' && arg !== '--'; arg = argv[end]) {
    end += takesNext(arg) ? 2 : 1
  }
  const rest = argv.slice(argv[end] === '--' ? end + 1 : end)
  return { own: argv.slice(0, end), rest }
}

/** Whether an option's value is the argument after it. Throws for an option that there is not. */
function takesNext(arg: string): boolean {
  if (arg === '-h') return false
  const [flag = '', ...inline] = arg.split('=')
  const option = Object.entries(OPTIONS).find(([name]) => flag === `--${name}`)?.[1]
  if (!option) {
    const near = nearest(flag.replace(/^-+/, ''), Object.keys(OPTIONS))
    throw new WrongUse(`unknown option ${flag}${near ? `; did you mean --${near}?` : '; see --help'}`)
  }
  return option.type === 'string' && inline.length === 0
}

function parse(own: string[]): Values {
  try {
    return parseArgs({ args: own, options: OPTIONS, strict: true }).values
  } catch (error) {
    throw new WrongUse(messageOf(error))
  }
}

interface Job {
  root: string
  name: string
  args: string[]
  values: Values
}

/** The program on this terminal's streams. */
async function runThrough(job: Job): Promise<void> {
  const limit = timeoutOf(job.values)
  const command = await commandOf(job, { stdio: 'inherit' })
  // From before the start on: none that comes with it is lost, or ends us alone.
  let child: Child | undefined
  const release = passSignalsTo((signal) => child?.kill(signal))
  child = command.spawn()
  child.on('error', () => undefined) // its status rejects with the same
  let timedOut = false
  const onTime = (): void => {
    timedOut = child?.kill() ?? false
  }
  const timer = limit > 0 ? setTimeout(onTime, Math.min(limit, 2 ** 31 - 1)) : undefined
  const status = await child.status
  clearTimeout(timer)
  release()
  if (timedOut) complain(`${job.name} timed out after ${limit} ms`)
  endAs(status)
}

/** The program captured, and told as JSON. */
async function runCaptured(job: Job): Promise<void> {
  const controller = new AbortController()
  const timeout = timeoutOf(job.values)
  // What is beyond maxBuffer is dropped, and `truncated` says so: one line of JSON is better than an error.
  const options = {
    stdio: ['inherit', 'pipe', 'pipe'],
    overflow: 'discard',
    timeout,
    signal: controller.signal,
  } as const
  const command = await commandOf(job, options)
  const release = passSignalsTo(() => controller.abort())
  const output = await command.output().catch((error: { output?: CommandOutput }) => {
    if (error.output) return error.output
    throw error
  })
  release()
  await new Promise((written) => process.stdout.write(`${JSON.stringify(jsonOf(output))}\n`, written))
  endAs(output)
}

// Imported only when something is to be run: --help and --version work where the addon does not.
async function commandOf({ root, name, args, values }: Job, more: CommandOptions<CommandOptions['stdio'], undefined>) {
  const [{ commandRoot }, { openRoot }] = await Promise.all([import('./command.ts'), import('./root.ts')])
  if (values.cwd !== undefined && values['cwd-root'] !== undefined)
    throw new WrongUse('--cwd and --cwd-root exclude each other')
  const rules = { resolve: values['in-root'] ? 'in-root' : 'beneath' } as const
  const cwdRoot = values['cwd-root']
  const cwd = cwdRoot === undefined ? values.cwd : openRoot(cwdRoot, rules)
  const seal = values.sha256 === undefined ? values.seal : { sha256: values.sha256 }
  const scripts = scriptsOf(values)
  const held = openRoot(root, rules)
  const attributes = { ...attributesOf(values), chroot: values.chroot === root ? held : values.chroot }
  const env = environmentOf(values)
  return commandRoot(held, name, args, { ...more, ...attributes, cwd, seal, scripts, env })
}

function attributesOf(values: Values): ProcessAttributes {
  const number = (name: 'uid' | 'gid'): number | undefined => {
    const given = values[name]
    if (given === undefined || /^\d{1,10}$/.test(given)) return given === undefined ? undefined : Number(given)
    throw new WrongUse(`--${name} takes a number, not '${given}'`)
  }
  return {
    uid: number('uid'),
    gid: number('gid'),
    noNewPrivs: values['no-new-privs'],
    rlimits: values.rlimit && Object.fromEntries(values.rlimit.map(rlimitOf)),
  }
}

/** `nofile=64`, `nofile=64:128`, `core=unlimited`; what the names are is for commandRoot() to say. */
function rlimitOf(text: string): [name: string, limit: Rlimit | { soft: Rlimit; hard: Rlimit }] {
  const [, name, soft, hard] = /^(\w+)=(\d{1,16}|unlimited)(?::(\d{1,16}|unlimited))?$/.exec(text) ?? []
  if (name === undefined || soft === undefined) throw new WrongUse(`--rlimit takes NAME=N, not '${text}'`)
  const number = (word: string): Rlimit => (word === 'unlimited' ? word : Number(word))
  return [name, hard === undefined ? number(soft) : { soft: number(soft), hard: number(hard) }]
}

function scriptsOf({ scripts = 'deny' }: Values): 'deny' | 'kernel' | 'root' {
  if (scripts === 'deny' || scripts === 'kernel' || scripts === 'root') return scripts
  throw new WrongUse(`--scripts takes deny, kernel or root, not '${scripts}'`)
}

function environmentOf(values: Values): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = values['clear-env'] ? {} : { ...process.env }
  for (const pair of values.env ?? []) {
    const at = pair.indexOf('=')
    if (at < 1) throw new WrongUse('--env takes K=V')
    env[pair.slice(0, at)] = pair.slice(at + 1)
  }
  return env
}

function timeoutOf({ timeout = '0' }: Values): number {
  if (/^\d{1,15}$/.test(timeout)) return Number(timeout)
  throw new WrongUse(`--timeout takes milliseconds, not '${timeout}'`)
}

/**
 * SIGTERM and SIGHUP are for the program. SIGINT and SIGQUIT come from the terminal to it as well: they are only kept
 * from ending this process first.
 */
function passSignalsTo(send: (signal: NodeJS.Signals) => void): () => void {
  const ignore = (): void => undefined
  const listeners = { SIGTERM: send, SIGHUP: send, SIGINT: ignore, SIGQUIT: ignore }
  for (const [signal, listener] of Object.entries(listeners)) process.on(signal, listener)
  return () => {
    for (const [signal, listener] of Object.entries(listeners)) process.removeListener(signal, listener)
  }
}

/** By the same code, or by the same signal where that can end this process. */
function endAs({ code, signal }: CommandStatus): void {
  if (signal === null) {
    process.exitCode = code ?? CANNOT_START
    return
  }
  process.exitCode = 128 + numberOf(signal)
  // Node starts its inspector at SIGUSR1, and does not take numbers that it has no name for.
  if (signal === 'SIGUSR1' || !(signal in constants.signals)) return
  process.kill(process.pid, signal)
  // Not at the mercy of the event loop: the signal may take a moment to come, or be ignored (SIGPIPE) and never do so.
  setTimeout(() => undefined, 100)
}

/** SIGRTMIN+n are ours: Node has no names for them. */
function numberOf(signal: NodeJS.Signals): number {
  const fromMin = /^SIGRTMIN\+?(\d*)$/.exec(signal)
  return fromMin ? 34 + Number(fromMin[1]) : (constants.signals[signal] ?? 0)
}

function jsonOf({ stdout, stderr, ...rest }: CommandOutput): object {
  const [out, err] = [textOf(stdout), textOf(stderr)]
  return { ...rest, stdout: out.text, stdoutEncoding: out.encoding, stderr: err.text, stderrEncoding: err.encoding }
}

function textOf(bytes: Buffer): { text: string; encoding: 'utf8' | 'base64' } {
  const encoding = isUtf8(bytes) ? 'utf8' : 'base64'
  return { text: bytes.toString(encoding), encoding }
}

function print(text: string): void {
  process.stdout.write(text)
}

function complain(message: string): void {
  process.stderr.write(`command-root: ${message.replaceAll(/\s*\n\s*/g, ' ')}\n`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function exitCodeOf(error: unknown): number {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (error instanceof WrongUse || /^ERR_(INVALID_ARG|OUT_OF_RANGE)/.test(code)) return WRONG_USE
  return code === 'ENOENT' ? NOT_FOUND : CANNOT_START
}

main(process.argv.slice(2)).catch((error: unknown) => {
  complain(messageOf(error))
  process.exitCode = exitCodeOf(error)
})
