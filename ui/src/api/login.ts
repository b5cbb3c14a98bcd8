/** The way to the page to log in, and back to where one was. */

import { loginAddress } from '~/lib/who';

const AGAIN_MS = 5_000; // nobody is back sooner with a session that is over already
const KEPT_AS = 'celeryscope-sent-to-login';

let going = false;

/** Leaves for the page to log in, once, however many requests were refused. */
export function goToLogin(): void {
  if (going || cameFromThere()) return;
  going = true;
  const { pathname, search, hash } = location;
  location.assign(loginAddress(document.baseURI, pathname + search + hash));
}

/**
 * Did we go there a moment ago? A console that sends people back as logged in and then refuses
 * them would have them go to and fro; what it says is shown instead.
 */
function cameFromThere(): boolean {
  try {
    const last = Number(sessionStorage.getItem(KEPT_AS) ?? -Infinity);
    const now = Date.now();
    sessionStorage.setItem(KEPT_AS, String(now));
    return Math.abs(now - last) < AGAIN_MS;
  } catch {
    return false; // storage may be forbidden
  }
}

// A page that comes back from the back/forward cache may have to go again.
window.addEventListener('pageshow', ({ persisted }) => {
  if (persisted) going = false;
});
