// Which sources a test covers: those of the same name. What runs in other processes is not counted.
export default (test) =>
  /^test\/(e2e|container|systemd|package|programs)\//.test(test)
    ? null
    : test.replace(/^test/, 'src').replace(/\.test\.ts$/, '.ts');
