/** Chromium names `en-US@posix` as its language where the system has none, which is no language tag. uPlot formats numbers by it when it is loaded. */
try {
  Intl.getCanonicalLocales(navigator.language)
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en' })
}
