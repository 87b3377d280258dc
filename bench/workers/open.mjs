// For each line "DIRECTORY NAME COUNT": the microseconds that opening and closing NAME took, once.
import { createInterface } from 'node:readline'
import { openRoot } from 'command-root'

for await (const line of createInterface({ input: process.stdin })) {
  const [directory, name, count] = line.split(' ')
  const root = openRoot(directory)
  const start = process.hrtime.bigint()
  for (let i = 0; i < Number(count); i++) root.openExecutable(name).close()
  root.close()
  console.log(Number(process.hrtime.bigint() - start) / 1e3 / Number(count))
}
