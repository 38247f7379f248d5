"""`python -m exposer.guard NAME`: started by the supervisor."""

import sys

from exposer.guard import main

sys.exit(main())
