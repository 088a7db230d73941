// Whether the side bar is narrow, as the person left it; screens below 1280 px have it narrow anyway.
const KEY = 'lakeforge.nav'

class SideBar {
  #narrow = $state(localStorage.getItem(KEY) === 'narrow')

  get narrow(): boolean {
    return this.#narrow
  }

  set narrow(value: boolean) {
    this.#narrow = value
    localStorage.setItem(KEY, value ? 'narrow' : 'wide')
  }
}

export const sideBar = new SideBar()
