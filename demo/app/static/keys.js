// The credentials of this page: asked for once however many wait for them, and renewed before they run out.

export class Keys {
  /** `ask()` promises an answer with credential_process's members; `renewed` hears of each; `margin` is in seconds. */
  constructor(ask, margin, renewed) {
    this.ask = ask;
    this.margin = margin * 1000;
    this.renewed = renewed;
    this.times = 0;
    this.held = null;
    this.asking = null;
    this.timer = null;
  }

  /** Credentials with time left in them. */
  async fresh() {
    const left = this.held ? Date.parse(this.held.Expiration) - Date.now() : 0;
    return left > this.margin ? this.held : this.renew();
  }

  /** New ones now. Where that fails, the old ones serve while they last. */
  renew() {
    this.asking ??= this.ask()
      .then((answer) => this.keep(answer))
      .catch((error) => {
        if (this.held && Date.parse(this.held.Expiration) - Date.now() > 10_000) {
          this.again(30_000);
          return this.held;
        }
        throw error;
      })
      .finally(() => { this.asking = null; });
    return this.asking;
  }

  keep(answer) {
    if (this.ask === null) return answer; // stopped meanwhile
    this.times += this.held ? 1 : 0;
    this.held = answer;
    this.renewed(answer, this.times);
    this.again(Math.max(1_000, Date.parse(answer.Expiration) - Date.now() - this.margin));
    return answer;
  }

  again(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.renew().catch(() => {}), Math.min(wait, 2_000_000_000));
  }

  stop() {
    clearTimeout(this.timer);
    this.ask = null;
    this.held = null;
  }
}
