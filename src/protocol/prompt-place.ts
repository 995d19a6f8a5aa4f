/** What a client may say of the place where its person sits. The prompt runs beside the agent's secrets, so each has one plain form. */
export const PLACE_FORMS = {
  /** A terminal by its own name, not by a link. */
  tty: /^\/dev\/(?:pts\/\d{1,7}|tty[A-Za-z]{0,4}\d{1,4})$/,
  type: /^[A-Za-z0-9][A-Za-z0-9+._-]{0,63}$/,
  locale: /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/,
  /** Of this machine: a prompt must not appear elsewhere. */
  display: /^:\d{1,5}(?:\.\d{1,2})?$/,
  wayland: /^wayland-\d{1,4}$/,
} as const;
