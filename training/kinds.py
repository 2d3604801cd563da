"""Words of one kind, of which one put for another makes a question ask for something else."""

# Each line is a kind: any two of its words exclude one another.
_GROUPS = """
north south east west
northern southern eastern western
northeast northwest southeast southwest
january february march april june july august september october november december
monday tuesday wednesday thursday friday saturday sunday
first second third fourth fifth sixth seventh eighth ninth tenth last
two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand
red blue green yellow black white brown orange purple pink grey
king queen prince princess duke emperor
mother father brother sister son daughter wife husband uncle aunt cousin grandfather grandmother
boyfriend girlfriend friend roommate boss
man woman boy girl
men women children boys girls
spring summer autumn winter
morning afternoon evening night
hour day week month year decade century
hours days weeks months years decades centuries minutes seconds
inches feet yards miles meters kilometers
pounds ounces grams kilograms tons
city country state county village continent
river lake ocean mountain island desert
president minister senator governor mayor
gold silver copper iron steel plastic wood glass leather
christian muslim jewish buddhist hindu
english french german spanish italian russian chinese japanese arabic latin
british american canadian australian indian african european asian
size color weight shape price length
cat dog horse bird
breakfast lunch dinner
phone computer laptop tablet camera
teacher doctor lawyer engineer author poet composer painter
"""

# Each line is two words that exclude one another.
_OPPOSITES = """
more less|most least|many few|large small|larger smaller|largest smallest|big little|bigger smaller
high low|higher lower|highest lowest|long short|longer shorter|longest shortest|old new|older newer
oldest newest|early late|earlier later|earliest latest|good bad|better worse|best worst|strong weak
stronger weaker|fast slow|faster slower|easy difficult|easier harder|hot cold|warm cool|heavy light
thick thin|wide narrow|deep shallow|rich poor|young elderly|male female|public private|major minor
positive negative|advantage disadvantage|advantages disadvantages|benefit drawback|benefits drawbacks
before after|above below|inside outside|over under|within outside|up down|left right|front back|top bottom
start stop|started stopped|begin end|began ended|beginning end|increase decrease|increased decreased
increases decreases|increasing decreasing|rise fall|rose fell|win lose|won lost|winner loser|winning losing
buy sell|bought sold|buying selling|give take|gave took|like dislike|liked disliked|likes dislikes
love hate|loved hated|loves hates|enjoy dislike|accept reject|accepted rejected|allow forbid|allowed forbidden
allows prevents|add remove|added removed|build destroy|built destroyed|create destroy|created destroyed
open close|opened closed|enter leave|entered left|arrive depart|arrived departed|join leave|joined left
support oppose|supported opposed|supports opposes|agree disagree|agreed disagreed|attack defend
attacked defended|import export|imported exported|gain lose|gained lost|pass fail|passed failed
succeed fail|succeeded failed|success failure|include exclude|included excluded|includes excludes
send receive|sent received|push pull|pushed pulled|raise lower|raised lowered|ally enemy|allies enemies
friend enemy|victory defeat|birth death|born killed|life death|alive dead|war peace|cause prevent
caused prevented|causes prevents|encourage discourage|encouraged discouraged|approve disapprove
approved disapproved|improve worsen|improved worsened|expand shrink|expanded shrank|borrow lend
hire fire|hired fired|appointed dismissed|present absent|common rare|popular unpopular|modern ancient
legal illegal|possible impossible|necessary unnecessary|important unimportant|happy unhappy|safe dangerous
known unknown|similar different|same different|equal unequal|ancestor descendant|ancestors descendants
predecessor successor|urban rural|upper lower|northernmost southernmost|maximum minimum|always never
often rarely|usually rarely|recommend avoid|recommended avoided|recommends avoids|works fails|worked failed
break fix|broke fixed|broken repaired|full empty|clean dirty|soft hard|cheap expensive|wet dry|loud quiet
tall short|tight loose|sweet sour|dark bright|near far|nearest farthest|simple complex|remember forget
follow lead|hide reveal|save spend|saved spent|teach learn|taught learned|protect endanger|admit deny
married divorced|conservative liberal|offensive defensive|natural artificial|domestic foreign
internal external|primary secondary|temporary permanent|former current|previous next|first last
voluntary mandatory|majority minority|unite divide|united divided|freedom slavery|guilty innocent
pro con|pros cons|original copy|ruler subject|student teacher|students teachers|customer seller
"""


def _kinds() -> dict[str, list[str]]:
    lines = [line.split() for line in _GROUPS.split("\n")]
    lines += [pair.split() for line in _OPPOSITES.split("\n") for pair in line.split("|")]
    others: dict[str, list[str]] = {}
    for group in lines:
        for word in group:
            known = others.setdefault(word, [])
            known += [other for other in group if other != word and other not in known]
    return others


OTHERS = _kinds()
STOPWORDS = frozenset(
    """a about after all also am an and any are as at be been being both but by can could did do does doing
    for from get got had has have having he her hers him his how i if in into is it its itself just kind made
    make may me might much my name named no nor not of off on one only or other our out own s she should so
    some such t than that the their them then there these they thing things this those to too type use used
    very was we were what when where which while who whom whose why will with would you your author
    according person people poster writer narrator reviewer commenter speaker user""".split()
)
