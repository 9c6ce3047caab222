from llamafarm.services.base import Service as Service
from llamafarm.services.base import ServiceStatus as ServiceStatus
from llamafarm.services.process import ProcessService as ProcessService
from llamafarm.services.process import ProcessSpec as ProcessSpec
from llamafarm.services.state import token_of as token_of
