/** What Node keeps under symbols that it exports nowhere: found by their descriptions, on an object or what it inherits from. */

export function symbolOf(object: object, description: string): symbol | undefined {
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const found = Object.getOwnPropertySymbols(at).find((symbol) => symbol.description === description);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Under which Node keeps what it has made of a handle: the server, or the socket. */
export const OWNER = 'owner_symbol';

/** What Node has made of a handle; undefined where it does not say. */
export function ownerOf<T extends object>(handle: object): T | undefined {
  const symbol = symbolOf(handle, OWNER);
  return symbol && (handle as Record<symbol, T | undefined>)[symbol];
}
