/** Elements by few words. Whatever is put into one is text: nothing that a worker prints is ever markup. */

export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`there is no ${id}`);
  return found as E;
}

type Attributes = Readonly<Record<string, string>>;

export function make(name: string, attributes: Attributes = {}, ...within: readonly (Node | string)[]): HTMLElement {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...within);
  return element;
}

/** Only where it has changed: a screen reader says what is new, and a selection stays. */
export function say(element: HTMLElement, text: string, kind = ''): void {
  if (element.textContent !== text) element.textContent = text;
  if (kind !== '') element.className = kind;
}
