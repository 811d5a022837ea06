/** What package managers write into `node_modules/.bin` for one and the same program. */

/** pnpm: a shell script. `folder` is the project's. */
export function pnpmShim(folder: string, target: string): string {
  const store = `${folder}/node_modules/.pnpm`;
  const paths = `${store}/next@15.0.0/node_modules/next/dist/bin/node_modules:${store}/node_modules`;
  return `#!/bin/sh
basedir=$(dirname "$(echo "$0" | sed -e 's,\\\\,/,g')")

case \`uname\` in
    *CYGWIN*) basedir=\`cygpath -w "$basedir"\`;;
esac

if [ -z "$NODE_PATH" ]; then
  export NODE_PATH="${paths}"
else
  export NODE_PATH="${paths}:$NODE_PATH"
fi
if [ -x "$basedir/node" ]; then
  exec "$basedir/node"  "$basedir/${target}" "$@"
else
  exec node  "$basedir/${target}" "$@"
fi
`;
}

/** npm on Windows and in Cygwin, and pnpm for a program with options of node in its first line. */
export function cmdShim(target: string, nodeArgs = ''): string {
  return `#!/bin/sh
basedir=$(dirname "$(echo "$0" | sed -e 's,\\\\,/,g')")

case \`uname\` in
    *CYGWIN*|*MINGW*|*MSYS*)
        if command -v cygpath > /dev/null 2>&1; then
            basedir=\`cygpath -w "$basedir"\`
        fi
    ;;
esac

if [ -x "$basedir/node" ]; then
  exec "$basedir/node" ${nodeArgs} "$basedir/${target}" "$@"
else
  exec node ${nodeArgs} "$basedir/${target}" "$@"
fi
`;
}
