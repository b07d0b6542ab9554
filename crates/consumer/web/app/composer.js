/** The dialog for a new message. */

/** @import { NotifyClient, SendBody } from '../client.js' */

export class Composer {
  #dialog;
  #client;
  #onSent;
  /** Of what stands in the form: sent again as it is, it arrives once. @type {string | null} */
  #key = null;

  /**
   * @param {HTMLElement} dialog
   * @param {() => NotifyClient | null} client
   * @param {(text: string) => void} onSent
   */
  constructor(dialog, client, onSent) {
    this.#dialog = /** @type {HTMLDialogElement} */ (dialog);
    this.#client = client;
    this.#onSent = onSent;
    this.#form.addEventListener('input', () => (this.#key = null));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#send();
    });
    this.#form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
    this.#button('cancel').addEventListener('click', () => this.#dialog.close());
  }

  open() {
    this.#say('');
    this.#dialog.showModal();
  }

  async #send() {
    const client = this.#client();
    if (!client) return;
    const submit = this.#submit;
    submit.disabled = true;
    this.#say('');
    this.#key ??= Array.from(crypto.getRandomValues(new Uint32Array(4)), String).join('-');
    try {
      const { notifications } = await client.send(this.#body(client.userId), { idempotencyKey: this.#key });
      this.#sent(notifications);
    } catch (error) {
      this.#say(/** @type {Error} */ (error).message);
    } finally {
      submit.disabled = false;
    }
  }

  /** @param {{to: string, code?: string}[]} notifications */
  #sent(notifications) {
    const failed = notifications.filter(({ code }) => code);
    if (failed.length > 0) {
      // Sent again under the same key, it reaches those that are left.
      return this.#say(`Not sent to ${failed.map(({ to }) => to).join(', ')}. Try again.`);
    }
    this.#key = null;
    this.#form.reset();
    this.#dialog.close();
    this.#onSent('Message sent');
  }

  /**
   * @param {string} from
   * @returns {SendBody}
   */
  #body(from) {
    const fields = new FormData(this.#form);
    const text = (/** @type {string} */ name) => String(fields.get(name)).trim();
    return {
      from,
      to: text('to').split(/[\s,;]+/).filter(Boolean),
      message: text('message'),
      title: text('title') || null,
      url: text('url') || null,
      priority: Number(text('priority')),
    };
  }

  /** @param {string} text */
  #say(text) {
    const error = /** @type {Element} */ (this.#form.querySelector('.error'));
    error.textContent = text;
  }

  get #form() {
    return /** @type {HTMLFormElement} */ (this.#dialog.querySelector('form'));
  }

  get #submit() {
    return /** @type {HTMLButtonElement} */ (this.#form.querySelector('[type=submit]'));
  }

  /** @param {string} value */
  #button(value) {
    return /** @type {HTMLButtonElement} */ (this.#form.querySelector(`[value=${value}]`));
  }
}
