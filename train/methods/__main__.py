"""`python -m train.methods`."""

from .command import main

raise SystemExit(main())
