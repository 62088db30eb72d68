// oxlint-disable-next-line import/no-unassigned-import -- it must run before uPlot is loaded
import './safe-language.ts'
import { render } from 'preact'
import { App } from './app.tsx'
import { startTheme } from './theme.ts'

startTheme()
const root = document.getElementById('app')
if (root) {
  root.replaceChildren()
  render(<App />, root)
}
