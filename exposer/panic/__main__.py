"""`python -m exposer.panic`: the kill switch without the rest of the house."""

import sys

from exposer.panic import main

sys.exit(main())
