"""The differences that are meant, each with its reason; any other is a mistake."""

from tests.gx_it_proxy_difference.expected_answers import OF_ANSWERS
from tests.gx_it_proxy_difference.expected_requests import OF_REQUESTS
from tests.gx_it_proxy_difference.expected_verdicts import VERDICTS

EXPECTED = (*VERDICTS, *OF_REQUESTS, *OF_ANSWERS)
