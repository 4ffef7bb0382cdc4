import { readFileSync } from 'node:fs'

/** Prints what the test runner counted, as one plain line, from its JSON report. */

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly numFailedTestSuites: number
}

const file = process.argv[2]
if (file === undefined) throw new Error('usage: node .ci/count.ts <report.json>')
const report = JSON.parse(readFileSync(file, 'utf8')) as Report
// A file that could not be loaded has no failed test of its own, and is a failure all the same.
const failed = report.numFailedTests === 0 && report.numFailedTestSuites > 0 ? report.numFailedTestSuites : report.numFailedTests
console.log(`${report.numPassedTests} passed, ${failed} failed, ${report.numPendingTests + report.numTodoTests} skipped`)
