import { existsSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { mavenClassPath, requireJava, requireTool } from '../../test/helpers/maven.ts'
import { outputOf } from '../run-command.ts'
import { reportsInLines, reportsOfPlaybook, type Report } from './steps.ts'

const here = import.meta.dirname

export interface Client {
  readonly name: string
  /** Brings it into the directory, unless it is there. @returns the command that does all steps */
  readonly install: (directory: string) => Promise<readonly string[]>
  readonly reports: (output: string) => ReadonlyMap<string, Report>
}

export const clients: readonly Client[] = [
  javaScript('fhir-kit-client'),
  javaScript('fhirclient (SMART, JavaScript)', 'smart-fhirclient'),
  javaScript('@medplum/core', 'medplum-client'),
  python('fhirpy', 'fhirpy_client'),
  python('fhirclient (SMART, Python)', 'smart_fhirclient'),
  {
    name: 'HAPI FHIR generic client',
    async install() {
      const java = await requireJava(17)
      const classPath = await mavenClassPath(join(here, 'java', 'pom.xml'))
      return [java, '-cp', classPath, join(here, 'java', 'HapiClient.java')]
    },
    reports: reportsInLines,
  },
  {
    name: 'Ansible',
    async install(directory) {
      const environment = await pythonEnvironment(directory)
      const home = join(directory, 'ansible')
      const settings = {
        ANSIBLE_HOME: home,
        ANSIBLE_REMOTE_TEMP: home,
        ANSIBLE_NOCOLOR: '1',
        ANSIBLE_LOCALHOST_WARNING: 'false',
        ANSIBLE_PYTHON_INTERPRETER: join(environment, 'bin', 'python'),
        LC_ALL: 'C.UTF-8',
      }
      return [
        'env',
        ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
        join(environment, 'bin', 'ansible-playbook'),
        ...['--inventory', 'localhost,', '--connection', 'local'],
        join(here, 'ansible', 'playbook.yml'),
      ]
    },
    reports: reportsOfPlaybook,
  },
]

function javaScript(name: string, script: string = name): Client {
  return {
    name,
    async install(directory) {
      const project = join(directory, 'javascript')
      if (!existsSync(project)) {
        await cp(join(here, 'javascript'), project, { recursive: true })
        const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock']
        await outputOf(['npm', 'install', '--prefix', project, ...flags], { cwd: project })
      }
      return [process.execPath, join(project, `${script}.mjs`)]
    },
    reports: reportsInLines,
  }
}

function python(name: string, script: string): Client {
  return {
    name,
    install: async (directory) => [
      join(await pythonEnvironment(directory), 'bin', 'python'),
      join(here, 'python', `${script}.py`),
    ],
    reports: reportsInLines,
  }
}

/** One virtual environment for all that is Python. */
async function pythonEnvironment(directory: string): Promise<string> {
  const environment = join(directory, 'python')
  if (existsSync(environment)) return environment
  await requireTool('python3', '--version', 'Python 3.11 (Debian: apt-get install python3-venv)')
  await outputOf(['python3', '-m', 'venv', environment])
  const requirements = join(here, 'python', 'requirements.txt')
  const flags = ['--quiet', '--disable-pip-version-check', '--no-cache-dir']
  await outputOf([join(environment, 'bin', 'pip'), 'install', ...flags, '-r', requirements])
  return environment
}
