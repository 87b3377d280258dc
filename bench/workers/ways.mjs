// The ways of starting a program from JavaScript. Each has: spawn(stdio, argv), which starts; exit(child), when it is
// known to have ended; output(), a run captured; capture(bytes), the length of that much captured at once; kill(child).
const TRUE = '/usr/bin/true'
const dd = (bytes) => ['if=/dev/zero', 'bs=1M', `count=${bytes / 1024 / 1024}`, 'status=none']

async function ours() {
  const { commandRoot, openRoot } = await import('command-root')
  const root = openRoot('/usr')
  const commands = Object.fromEntries(
    ['ignore', 'pipe'].map((stdio) => [stdio, commandRoot(root, 'bin/true', [], { stdio })]),
  )
  const sleeping = commandRoot(root, 'bin/sleep', ['600'], { stdio: 'ignore' })
  const capturing = commandRoot(root, 'bin/true')
  return {
    spawn: (stdio, argv) => (argv ? sleeping : commands[stdio]).spawn(),
    exit: (child) => new Promise((resolve) => child.once('exit', resolve)),
    output: () => capturing.output(),
    capture: async (bytes) =>
      (await commandRoot(root, 'bin/dd', dd(bytes), { maxBuffer: bytes + 1 }).output()).stdout.length,
    kill: (child) => child.kill('SIGKILL'),
  }
}

async function child_process() {
  const { execFile, spawn } = await import('node:child_process')
  const { promisify } = await import('node:util')
  const run = promisify(execFile)
  return {
    spawn: (stdio, [file, ...args] = [TRUE]) => spawn(file, args, { stdio }),
    exit: (child) => new Promise((resolve) => child.once('exit', resolve)),
    output: () => run(TRUE),
    capture: async (bytes) =>
      (await run('/usr/bin/dd', dd(bytes), { maxBuffer: bytes + 1, encoding: 'buffer' })).stdout.length,
    kill: (child) => child.kill('SIGKILL'),
  }
}

async function bun() {
  const { Bun } = globalThis
  const captured = async (cmd) => {
    const child = Bun.spawn(cmd, { stdio: ['ignore', 'pipe', 'pipe'] })
    const [stdout] = await Promise.all([
      new Response(child.stdout).arrayBuffer(),
      new Response(child.stderr).arrayBuffer(),
      child.exited,
    ])
    return stdout.byteLength
  }
  return {
    spawn: (stdio, cmd = [TRUE]) => Bun.spawn(cmd, { stdio: [stdio, stdio, stdio] }),
    exit: (child) => child.exited,
    output: () => captured([TRUE]),
    capture: (bytes) => captured(['/usr/bin/dd', ...dd(bytes)]),
    kill: (child) => child.kill('SIGKILL'),
  }
}

async function deno() {
  const { Deno } = globalThis
  const form = { ignore: 'null', pipe: 'piped' }
  return {
    spawn(stdio, [file, ...args] = [TRUE]) {
      const [stdin, stdout, stderr] = Array(3).fill(form[stdio])
      return new Deno.Command(file, { args, stdin, stdout, stderr }).spawn()
    },
    exit: async (child) => {
      await child.status
      for (const stream of ['stdin', 'stdout', 'stderr']) await closeStream(child, stream)
    },
    output: () => new Deno.Command(TRUE).output(),
    capture: async (bytes) => (await new Deno.Command('/usr/bin/dd', { args: dd(bytes) }).output()).stdout.length,
    kill: (child) => child.kill('SIGKILL'),
  }
}

/** A getter throws where there is no pipe. */
async function closeStream(child, name) {
  try {
    await (name === 'stdin' ? child.stdin.close() : child[name].cancel())
  } catch {}
}

export { bun, child_process, deno, ours }
