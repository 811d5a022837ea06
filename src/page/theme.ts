/** Light or dark: as the system says, or as somebody has chosen here. */
import { byId, say } from './dom.js';

const THEMES = ['system', 'light', 'dark'] as const;
const KEY = 'holdfast-theme';

/** @param onChange what is drawn takes its colours anew */
export function beginTheme(onChange: () => void): void {
  let theme = THEMES.find((one) => one === localStorage.getItem(KEY)) ?? 'system';
  const use = () => {
    if (theme === 'system') document.documentElement.removeAttribute('data-theme');
    else document.documentElement.setAttribute('data-theme', theme);
    say(byId('theme'), `Theme: ${theme}`);
    onChange();
  };
  use();
  byId('theme').addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
    localStorage.setItem(KEY, theme);
    use();
  });
}
