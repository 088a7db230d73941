// Sets the theme before the first paint: the stored choice (light, dark, system) becomes data-theme on <html>.
// A file of its own, since the content security policy allows no inline script.
;(function () {
  var choice = 'system'
  try {
    choice = localStorage.getItem('lakeforge.theme') || 'system'
  } catch {
    // Storage may be forbidden; the system's theme is a fine answer.
  }
  var dark =
    choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
})()
