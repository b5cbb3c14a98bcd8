/**
 * All styles that are not a component's own, in the order of the cascade. All are files, none is
 * written into the page: a strict style-src policy holds.
 */

import './fonts.css';
import './tokens.css';
import './base.css';
