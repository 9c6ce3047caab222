"""What secrets and addresses look like.

Sources: the documents of the services on the form of their keys; RFC 7519 (signed tokens), RFC 7468 (private keys); of
e-mail addresses the part of RFC 5322 that is in use.
"""

from __future__ import annotations

KEYS = r"""(?x)
    \b(?:sk|pk|rk)-[A-Za-z0-9_-]{20,200}            # OpenAI, Anthropic and others
  | \b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,100}  # Stripe
  | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                   # AWS
  | \bgh[pousr]_[A-Za-z0-9]{36,100}                 # GitHub
  | \bgithub_pat_[A-Za-z0-9_]{22,100}
  | \bglpat-[A-Za-z0-9_-]{20,60}                    # GitLab
  | \bhf_[A-Za-z0-9]{30,60}                         # Hugging Face
  | \bxox[abprs]-[A-Za-z0-9-]{10,100}               # Slack
  | \bAIza[A-Za-z0-9_-]{35}                         # Google
  | \beyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,2000}
  | -----BEGIN\ (?:[A-Z]+\ ){0,3}PRIVATE\ KEY-----[^-]{1,8000}-----END\ (?:[A-Z]+\ ){0,3}PRIVATE\ KEY-----
"""
ADDRESSES = r"\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"
