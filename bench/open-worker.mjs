// Opens an executable so many times for each name it is sent, and answers with the microseconds that one took.
import { openRoot } from 'command-root'

const [directory, opens] = [process.argv[2], Number(process.argv[3])]
const root = openRoot(directory)

process.on('message', (name) => {
  const start = process.hrtime.bigint()
  for (let i = 0; i < opens; i++) root.openExecutable(name).close()
  process.send({ time: Number(process.hrtime.bigint() - start) / 1e3 / opens })
})
