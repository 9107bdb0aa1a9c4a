"""Print how many captcha pictures one core renders per second, and their mean size in bytes."""

import secrets
import sys
import time

from hupan.captcha import CaptchaRenderer

PICTURES = 2_000
ROUNDS = 5


def main() -> None:
    """Render five rounds of 2,000 pictures and print each; the first call warms up."""
    draw = CaptchaRenderer(secrets.SystemRandom().uniform)
    draw("012345")
    draw("6789")
    for _ in range(ROUNDS):
        began = time.thread_time()
        sizes = [len(draw(f"{secrets.randbelow(10_000):04d}")) for _ in range(PICTURES)]
        rate = PICTURES / (time.thread_time() - began)
        mean = sum(sizes) / PICTURES
        sys.stdout.write(f"{rate:,.0f} pictures per second, {mean:,.0f} bytes each\n")


if __name__ == "__main__":
    main()
