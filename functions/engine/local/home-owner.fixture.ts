// A process that takes a home and keeps it until it is killed, or tells why it couldn't. Used by home.test.ts.
import { takeHome } from './home.ts'

try {
  const home = await takeHome(process.argv[2]!)
  if (process.argv[3]) await home.announce(process.argv[3])
  process.stdout.write(`took ${home.id}\n`)
  process.stdin.on('data', () => void home.release().then(() => process.exit(0)))
} catch (error) {
  process.stdout.write(`refused ${(error as { code?: string }).code}\n`)
}
