"""`python -m train.methods`."""

from .run import main

raise SystemExit(main())
