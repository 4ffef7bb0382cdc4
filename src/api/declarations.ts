import { z } from 'zod'
import { configurationOf, differencesBetween } from '../../projections/configuration.ts'
import type { Application } from '../commands/applier.ts'
import type { Misfit } from '../commands/apply-targets.ts'
import { declarationBytesMax, declarationPathMax, readDeclaration, type Declaration } from '../config/declaration.ts'
import type { NextStart } from '../config/settings-in-force.ts'
import { effectOf, frozenProblem } from './answers.ts'
import { codes } from './codes.ts'
import type { Api, ApiContext } from './context.ts'
import { writeProblems } from './pools.ts'
import { Problem, type FieldProblem } from './problem.ts'
import { CreateHeaders, refuseIfMatch, requestFacts } from './request-facts.ts'
import { Differences } from './schemas-state.ts'
import { WriteQuery } from './write.ts'

/** /api/declarations: applies the content of a declaration file, or says what that would change; lists what was applied. */

/** A file of the most bytes, with every one of them escaped once. */
const bodyBytesMax = 2 * declarationBytesMax

const DeclarationBody = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .max(declarationPathMax)
      .refine((path) => path.startsWith('/') && path.isWellFormed() && !path.includes('\0'), 'must be an absolute path')
      .meta({ description: 'Absolute path of the file where it is kept: what owns the objects. It is not read.' }),
    content: z.string().max(declarationBytesMax).meta({ description: 'The file itself, YAML 1.2.' }),
  })
  .meta({ id: 'ApplyDeclaration' })

const count = z.int().min(0)
const ApplicationView = z
  .strictObject({
    file: z.string(),
    digest: z.string().meta({ description: 'SHA-256 of the content in UTF-8, hexadecimal.' }),
    applied: z.boolean().meta({ description: 'Whether a record was written; false too when everything was so already.' }),
    objects: z
      .strictObject({ created: count, changed: count, removed: count })
      .meta({ description: 'Records of pools, backends and listeners; of a dry run, those that would be written.' }),
    differences: Differences,
    settings_at_next_start: z
      .array(z.strictObject({ name: z.string(), value: z.string().nullable() }))
      .meta({ description: 'Settings that differ from those in force; null: no longer set.' }),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'Application' })

const DeclarationView = z
  .strictObject({
    file: z.string(),
    applied_at: z.string(),
    digest: z.string(),
    revision: z.int(),
    settings: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Declaration' })

const tags = ['declarations']

export function declarationRoutes(app: Api, context: ApiContext): void {
  applyRoute(app, context)

  app.route({
    method: 'GET',
    url: '/api/declarations',
    schema: {
      operationId: 'listDeclarations',
      summary: 'List the declaration files that were applied, each as it was last',
      tags,
      response: { 200: z.strictObject({ declarations: z.array(DeclarationView) }) },
    },
    handler: async () => ({
      declarations: configurationOf(context.live.routing).declarations.map((one) => ({ ...one, settings: { ...one.settings } })),
    }),
  })
}

function applyRoute(app: Api, { access, applier, inForce, live }: Pick<ApiContext, 'access' | 'applier' | 'inForce' | 'live'>): void {
  app.route({
    method: 'POST',
    url: '/api/declarations',
    bodyLimit: bodyBytesMax,
    schema: {
      operationId: 'applyDeclaration',
      summary: 'Apply a declaration file: one record for each object that it changes, then one for the file',
      tags,
      body: DeclarationBody,
      headers: CreateHeaders,
      querystring: WriteQuery,
      response: { 200: ApplicationView, ...writeProblems },
    },
    handler: async (request, reply) => {
      refuseIfMatch(request)
      const { content, file } = request.body
      const reading = readDeclaration(Buffer.from(content), file)
      if ('problems' in reading) throw invalid(reading.problems)
      const { declaration } = reading
      const next = inForce.atNextStart(declaration)
      if ('problems' in next) throw invalid(next.problems)
      const by = requestFacts(request)
      const dryRun = request.query.dry_run
      if (dryRun && live.frozen) throw frozenProblem(live.frozen)
      const application = dryRun ? applier.preview(declaration, by) : await applier.apply(declaration, by)
      const recordId = recordOf(application)
      if (recordId !== null) access.changed(request, recordId)
      if (application.kind === 'refused') throw refused(declaration, application.misfits)
      if (application.kind === 'stopped') {
        stopped(application)
        reply.header('idempotent-replayed', 'true')
      }
      return applicationView(declaration, application, next, dryRun)
    },
  })
}

function applicationView(
  { digest, file }: Declaration,
  application: Application,
  { differences: settings, ignored }: NextStart,
  dryRun: boolean,
): z.infer<typeof ApplicationView> {
  const changed = application.kind === 'applied' ? application : null
  const differences = changed === null ? [] : differencesBetween(configurationOf(changed.before), configurationOf(changed.after))
  return {
    file, digest,
    applied: changed !== null && !dryRun,
    objects: changed?.objects ?? { changed: 0, created: 0, removed: 0 },
    differences: [...differences],
    settings_at_next_start: [...settings],
    warnings: ignored ? [`The settings of ${file} are not used: this server was not started with --config ${file}.`] : [],
  }
}

/** What is wrong with the file whatever the configuration is, is one problem; what is in its way is the refusal itself. */
function refused({ placeOf }: Declaration, misfits: readonly [Misfit, ...Misfit[]]): Problem {
  const errors = misfits.map(({ path, refusal }) => ({ code: refusal.code, ...placeOf(path), sentence: refusal.sentence }))
  if (misfits.some(({ refusal }) => codes[refusal.code].status === 422)) return invalid(errors)
  const [{ refusal }] = misfits
  return new Problem(refusal.code, detailOf(errors), { errors, ...(refusal.extra === undefined ? {} : { extra: refusal.extra }) })
}

function invalid(errors: readonly FieldProblem[]): Problem {
  return new Problem('declaration_invalid', detailOf(errors), { errors })
}

function detailOf(errors: readonly FieldProblem[]): string {
  return errors.map(({ column, line, sentence }) => (line === undefined ? sentence : `${line}:${column}: ${sentence}`)).join(' ')
}

/** The control record that says how it ended. */
function recordOf(application: Application): string | null {
  if (application.kind === 'applied') return application.recordId
  return application.kind === 'stopped' && application.answer.kind === 'outcome_unknown' ? application.answer.id : null
}

/** Throws unless it stopped because the same request was answered before. */
function stopped({ answer, done, of }: Extract<Application, { kind: 'stopped' }>): void {
  try {
    effectOf(answer)
  } catch (error) {
    if (!(error instanceof Problem) || done === 0) throw error
    const sentence = `${done} of ${of} changes of the file are on record, then: ${error.message} Apply the file again for the rest.`
    throw new Problem(error.code, sentence, error.details)
  }
}
